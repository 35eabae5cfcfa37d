"""OptimAI: idle machines, browsers and people as one AI data factory."""
