"""Ollama's embedding API, and OpenAI's, over HTTP."""
