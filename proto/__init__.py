"""The words on the wire. Nothing here thinks: three .proto files and the modules made from them."""
