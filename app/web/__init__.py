"""HTTP without business words: surfaces, sign-in cookies, access rules, CSRF, headers, rendering."""
