"""The only files that import an SDK: each behind a port, its errors turned into ours once."""
