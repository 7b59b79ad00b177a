"""Modules whose packages bear another name, as ``(name on PyPI, name in conda channels)``."""

from __future__ import annotations

PACKAGES_OF_MODULES: dict[str, tuple[str, str]] = {
    "attr": ("attrs", "attrs"),
    "bs4": ("beautifulsoup4", "beautifulsoup4"),
    "Bio": ("biopython", "biopython"),
    "Crypto": ("pycryptodome", "pycryptodome"),
    "cv2": ("opencv-python", "opencv"),
    "dateutil": ("python-dateutil", "python-dateutil"),
    "docx": ("python-docx", "python-docx"),
    "dotenv": ("python-dotenv", "python-dotenv"),
    "faiss": ("faiss-cpu", "faiss-cpu"),
    "fitz": ("pymupdf", "pymupdf"),
    "gi": ("pygobject", "pygobject"),
    "git": ("gitpython", "gitpython"),
    "graphviz": ("graphviz", "python-graphviz"),
    "h5py": ("h5py", "h5py"),
    "igraph": ("igraph", "python-igraph"),
    "imblearn": ("imbalanced-learn", "imbalanced-learn"),
    "jose": ("python-jose", "python-jose"),
    "jwt": ("pyjwt", "pyjwt"),
    "kaleido": ("kaleido", "python-kaleido"),
    "lxml": ("lxml", "lxml"),
    "magic": ("python-magic", "python-magic"),
    "MySQLdb": ("mysqlclient", "mysqlclient"),
    "mpl_toolkits": ("matplotlib", "matplotlib-base"),
    "OpenSSL": ("pyopenssl", "pyopenssl"),
    "osgeo": ("gdal", "gdal"),
    "PIL": ("pillow", "pillow"),
    "pkg_resources": ("setuptools", "setuptools"),
    "psycopg2": ("psycopg2-binary", "psycopg2"),
    "pptx": ("python-pptx", "python-pptx"),
    "pymc3": ("pymc3", "pymc3"),
    "PyQt5": ("pyqt5", "pyqt"),
    "serial": ("pyserial", "pyserial"),
    "skimage": ("scikit-image", "scikit-image"),
    "sklearn": ("scikit-learn", "scikit-learn"),
    "slugify": ("python-slugify", "python-slugify"),
    "snappy": ("python-snappy", "python-snappy"),
    "tables": ("tables", "pytables"),
    "torch": ("torch", "pytorch"),
    "umap": ("umap-learn", "umap-learn"),
    "usb": ("pyusb", "pyusb"),
    "websocket": ("websocket-client", "websocket-client"),
    "win32api": ("pywin32", "pywin32"),
    "xlsxwriter": ("xlsxwriter", "xlsxwriter"),
    "yaml": ("pyyaml", "pyyaml"),
    "zmq": ("pyzmq", "pyzmq"),
}

_LOWER = {module.lower(): names for module, names in PACKAGES_OF_MODULES.items()}


def package_of(module: str, *, conda: bool) -> str | None:
    """Return the package that provides *module*, if it is known to have another name or to be a usual one."""
    names = PACKAGES_OF_MODULES.get(module) or _LOWER.get(module.lower())
    return names[1 if conda else 0] if names else None
