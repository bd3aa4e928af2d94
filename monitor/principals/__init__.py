"""The file of principals: who may ask, and the roles and attributes of each."""
