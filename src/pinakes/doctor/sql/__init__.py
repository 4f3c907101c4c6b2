"""The statements the doctor asks; none changes anything."""
