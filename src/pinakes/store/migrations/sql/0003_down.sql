-- Takes back 0003: the bitmap index. No content is lost.

DROP TABLE term_delta;
DROP TABLE term_segment;
DROP TABLE index_part;
DROP TABLE index_code;
DROP TABLE index_follower;
DROP TABLE index_generation;
