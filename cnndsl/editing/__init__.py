"""What an editor asks of a spec while a person types: answers about a text and a place in it, without any protocol."""
