"""Questions about a network: where a shape comes from, which inputs it takes, and what other parameters would cost."""
