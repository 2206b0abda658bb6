"""What is true, whoever asks. Knows no GraphQL, no queue and no environment; time and strangers are handed in."""
