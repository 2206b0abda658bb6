"""The edge on several cores: one parent that serves nobody, and processes that share its port."""
