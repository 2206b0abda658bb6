"""ariadne on uvicorn: the schema first, raw aiomysql, orjson, documents parsed and validated once."""
