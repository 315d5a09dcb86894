"""Server-side carts: guest token, seven days, merged at sign-in. Ids: T02; commerce.md §2.3.
"""
