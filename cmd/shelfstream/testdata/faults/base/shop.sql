CREATE TABLE product (no bigint PRIMARY KEY, name varchar(20) NOT NULL, ean varchar(20), net decimal(6,2), gross decimal(6,2));
