"""The operator's command line: it speaks HTTP to the API and Invoke to the functions, never to a database."""
