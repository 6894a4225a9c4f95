"""What other gradient checkers say of errors that were planted on purpose."""
