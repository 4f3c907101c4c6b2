"""The pages people look at: server-rendered, over the same service as the HTTP interface."""
