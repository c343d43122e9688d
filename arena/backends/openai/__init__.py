"""Models behind endpoints that speak OpenAI's API: one HTTP client, four dialects, a pool, an end for everything."""
