"""One file for each kind of header field value, its parsing beside its rendering; `registry` says which field holds which kind."""
