"""What was said, by whom and when: ladder diagrams, JSON, pcap."""
