"""The OpenAPI document, written from the code's own constants. ``make openapi`` renews functions/query/openapi.json.

shapes      how a schema is said in a word
schemas     what requests and answers hold
responses   how requests end
parts       what every route's description is made of
reading     the routes that read logs
paths       which routes there are
"""
