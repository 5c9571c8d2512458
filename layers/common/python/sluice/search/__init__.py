"""Reading stored records back."""
