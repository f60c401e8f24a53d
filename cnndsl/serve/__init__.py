"""A local page that follows a spec: `cnndsl serve`."""
