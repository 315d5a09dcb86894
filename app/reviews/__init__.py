"""Reviews by verified buyers, with pictures, moderated, never deletable by merchants. Ids: C11."""
