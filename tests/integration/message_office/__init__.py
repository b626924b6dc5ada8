"""What a school's office sees of its messages, and sends again."""
