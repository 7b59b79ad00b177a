"""Whether the signatures of attestations are those of whom they name."""
