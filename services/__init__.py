"""The imperative shell: files, servers, brokers and screens around the pure centre."""
