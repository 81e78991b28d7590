"""The intervened vision-language model: explanations from steered images, and plain completions."""
