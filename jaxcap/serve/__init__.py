"""`jaxcap serve`: captions over HTTP, for a web page and for programs."""
