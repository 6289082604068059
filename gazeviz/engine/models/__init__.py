"""Model families: loading, preprocessing, prompts, and where the image tokens lie."""
