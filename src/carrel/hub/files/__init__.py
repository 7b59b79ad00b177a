"""Files: what is uploaded into releases and downloaded from them."""
