-- Takes back 0005: what was measured. No content is lost.

DROP TABLE figures_sizes;
DROP TABLE figures_slow;
DROP TABLE figures;
