"""A notebook with a secret planted in every place where text can hide. The values are made up and assembled at run time."""

from __future__ import annotations

import base64
import random
import string
from typing import Any


def _made_up(alphabet: str, size: int, seed: int) -> str:
    generator = random.Random(seed)
    return "".join(generator.choice(alphabet) for _ in range(size))


ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"

GITHUB = "ghp_" + _made_up(ALNUM, 36, 1)
CARREL = "ca-" + _made_up("abcdefghijklmnopqrstuvwxyz234567", 32, 2)
AWS_ID = "AKIA" + _made_up(string.ascii_uppercase + string.digits, 16, 3)
AWS_SECRET = _made_up(ALNUM + "/+", 40, 4)
PASSWORD = "hunter2-" + _made_up(ALNUM, 6, 5)
URL_PASSWORD = "pg" + _made_up(ALNUM, 14, 6)
JWT = ".".join(
    [
        base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("="),
        base64.urlsafe_b64encode(b'{"sub":"1234567890","name":"Ada"}').decode().rstrip("="),
        _made_up(ALNUM + "-_", 43, 7),
    ]
)
SAS = _made_up(ALNUM, 43, 8) + "%3D"
PEM = (
    "-----BEGIN RSA "
    + "PRIVATE KEY-----\n"
    + "\n".join(_made_up(ALNUM + "+/", 64, 10 + i) for i in range(3))
    + "\n-----END RSA "
    + "PRIVATE KEY-----"
)
HUGGING = "hf_" + _made_up(ALNUM, 34, 20)
SLACK = "xoxb-" + _made_up(string.digits, 12, 21) + "-" + _made_up(ALNUM, 24, 22)
CHANNEL = "ab-" + _made_up(HEX, 8, 23) + "-" + _made_up(HEX, 12, 24)
STRIPE = "sk_live_" + _made_up(ALNUM, 24, 25)
GITLAB = "glpat-" + _made_up(ALNUM, 20, 26)
GOOGLE = "AIza" + _made_up(ALNUM, 35, 27)
AZURE = _made_up(ALNUM + "+/", 86, 28) + "=="
API_KEY = _made_up(HEX, 32, 29)
BEARER = _made_up(ALNUM, 40, 30)
OPENAI = "sk-proj-" + _made_up(ALNUM, 40, 31)
IN_IMAGE = "ghp_" + _made_up(ALNUM, 36, 32)
IN_ATTACHMENT = "npm_" + _made_up(ALNUM, 36, 33)
WIDGET = "glpat-" + _made_up(ALNUM, 22, 34)
SPLIT = "ghp_" + _made_up(ALNUM, 36, 35)
JSON_VALUE = _made_up(ALNUM, 18, 36) + "7!"
ATTACHED_TEXT = "pypi-" + _made_up(ALNUM, 60, 37)

# value -> (cell, where)
PLANTED: dict[str, tuple[int | None, str]] = {
    GITHUB: (0, "source"),
    PASSWORD: (0, "source"),
    URL_PASSWORD: (0, "source"),
    PEM: (0, "source"),
    AWS_ID: (0, "source"),
    AWS_SECRET: (0, "source"),
    CARREL: (1, "output"),
    JWT: (1, "output"),
    SAS: (1, "output"),
    HUGGING: (1, "output"),
    SPLIT: (1, "output"),
    SLACK: (1, "output"),
    JSON_VALUE: (1, "output"),
    IN_IMAGE: (1, "output"),
    BEARER: (1, "output"),
    IN_ATTACHMENT: (2, "attachment"),
    ATTACHED_TEXT: (2, "attachment"),
    STRIPE: (2, "metadata"),
    WIDGET: (None, "metadata"),
    CHANNEL: (None, "metadata"),
    API_KEY: (None, "metadata"),
}


def notebook() -> dict[str, Any]:
    """Return the notebook."""
    image = base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\x50tEXtComment\0" + IN_IMAGE.encode() + b"\0\xff\xfe" * 20).decode()
    coloured = "\x1b[0;31m" + SPLIT[:10] + "\x1b[0m\x1b[0;32m" + SPLIT[10:] + "\x1b[0m"
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {"abc": {"state": {"value": WIDGET}}}, "version_major": 2}},
            "environment": {"channels": [f"https://conda.invalid/t/{CHANNEL}/private/linux-64"]},
            "service": {"api_key": API_KEY},
        },
        "cells": [
            {
                "cell_type": "code",
                "id": "one",
                "execution_count": 1,
                "metadata": {},
                "source": [
                    f"token = '{GITHUB}'\n",
                    f'password = "{PASSWORD}"\n',
                    f"engine = create_engine('postgresql://ada:{URL_PASSWORD}@db.invalid/lab')\n",
                    f'key = """{PEM}"""\n',
                    f"client = boto3.client('s3', aws_access_key_id='{AWS_ID}', aws_secret_access_key='{AWS_SECRET}')\n",
                ],
                "outputs": [],
            },
            {
                "cell_type": "code",
                "id": "two",
                "execution_count": 2,
                "metadata": {},
                "source": "run()",
                "outputs": [
                    {"output_type": "stream", "name": "stdout", "text": ["uploading with ", CARREL[:10], CARREL[10:], "\n"]},
                    {
                        "output_type": "execute_result",
                        "execution_count": 2,
                        "metadata": {},
                        "data": {
                            "text/plain": ["<Client>"],
                            "text/html": [f"<b>jwt</b> <code><span>{JWT[:30]}</span><span>{JWT[30:]}</span></code>"],
                            "application/json": {"config": {"db": {"password": JSON_VALUE}}},
                            "text/markdown": f"[data](https://store.invalid/c/file.csv?sv=2022&amp;sig={SAS})",
                            "image/png": image,
                        },
                    },
                    {
                        "output_type": "error",
                        "ename": "HTTPError",
                        "evalue": f"401 for token {HUGGING}",
                        "traceback": [
                            "\x1b[0;31mHTTPError\x1b[0m",
                            f"----> 1 get(headers={{'Authorization': 'Bearer {BEARER}'}})",
                            coloured,
                        ],
                    },
                    {
                        "output_type": "display_data",
                        "metadata": {},
                        "data": {"image/svg+xml": [f"<svg><text>{SLACK}</text></svg>"]},
                    },
                ],
            },
            {
                "cell_type": "markdown",
                "id": "three",
                "metadata": {"note": f"charge with {STRIPE}"},
                "source": "![a](attachment:a.png)",
                "attachments": {
                    "a.png": {"image/png": base64.b64encode(b"\x89PNG\0" + IN_ATTACHMENT.encode() + b"\0\0").decode()},
                    "a.txt": {"text/plain": base64.b64encode(f"index {ATTACHED_TEXT}\n".encode()).decode()},
                },
            },
        ],
    }


# Text that must not be reported as a sure finding.
CLEAN = [
    "tokenizer = AutoTokenizer.from_pretrained('bert-base-uncased')",
    "pad_token = '[PAD]'\nsep_token = '</s>'\ntoken = 'hello'",
    "password = getpass.getpass()",
    "password = os.environ['DB_PASSWORD']",
    "API_KEY = 'your-api-key-here'",
    "api_key = '<API_KEY>'",
    "df.sort_values(key=lambda s: s.str.lower())",
    "plt.legend(key='value', loc='upper right')",
    "url = 'https://example.org/data.csv?version=3&key=name'",
    "git commit 3f786850e387550fdab836ed7e6dc881de23001b",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "secret = None\npasswd = ''",
    "for key, value in items.items(): print(key, value)",
    "primary_key = 'customer_identifier'",
    "Basic information about this dataset: 1024 rows",
]
