"""Takes alerts from the record to the endpoints that want them."""
