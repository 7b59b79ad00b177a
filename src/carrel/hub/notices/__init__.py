"""Notices of channels: messages that conda shows to those who use them."""
