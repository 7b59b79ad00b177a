"""conda channels: shards kept in step with the files, indexes served from memory."""
