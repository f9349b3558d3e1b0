"""The pages: server-rendered shells in Chinese and English, and the scripts that fill them from the API."""
