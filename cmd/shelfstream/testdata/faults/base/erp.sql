CREATE TABLE product (no bigint PRIMARY KEY, name text NOT NULL, ean text, vat text);
CREATE TABLE price (no bigint, qty int, amount numeric(10,2) NOT NULL, PRIMARY KEY (no, qty));
CREATE TABLE vat (code text PRIMARY KEY, rate numeric(4,2) NOT NULL);
ALTER TABLE product REPLICA IDENTITY FULL;
INSERT INTO vat VALUES ('std', 0.25), ('food', 0.15);
INSERT INTO product VALUES (1, 'Barolo', '7001', 'std'), (2, 'Bread', '7002', 'food'), (3, 'Corkscrew', '7003', 'std');
INSERT INTO price VALUES (1, 1, 100), (2, 1, 20), (3, 1, 50);
