"""The roles between the parties: registrar, location service, proxy."""
