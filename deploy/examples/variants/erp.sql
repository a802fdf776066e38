-- The example's ERP: its tables, what capture needs of them, and a few styles.
CREATE TABLE style (
  style_no varchar(20) PRIMARY KEY,
  name     varchar(100) NOT NULL,
  brand    varchar(40)
);
CREATE TABLE size_order (
  size     varchar(10) PRIMARY KEY,
  position integer NOT NULL
);
CREATE TABLE vat_rate (
  vat_code   smallint NOT NULL,
  valid_from date NOT NULL,
  valid_to   date,
  rate       numeric(5,2) NOT NULL,
  PRIMARY KEY (vat_code, valid_from)
);
CREATE TABLE article (
  article_no varchar(40) PRIMARY KEY,
  style_no   varchar(20),
  name       varchar(100) NOT NULL,
  colour     varchar(30),
  size       varchar(10),
  net_price  numeric(12,4) NOT NULL,
  vat_code   smallint NOT NULL DEFAULT 1,
  blocked    boolean NOT NULL DEFAULT false
);

-- Made here by the owner of the tables, so that the user that captures need own nothing. The name is shelfstream_<pipeline>_<source>.
CREATE PUBLICATION shelfstream_clothing_erp FOR TABLE article, style, size_order, vat_rate;

INSERT INTO vat_rate VALUES (1, '2005-01-01', NULL, 25.00), (2, '2005-01-01', NULL, 15.00);
INSERT INTO size_order VALUES ('XS', 1), ('S', 2), ('M', 3), ('L', 4), ('XL', 5);
INSERT INTO style VALUES ('TS-100', 'T-shirt classic', 'Nordlys'), ('HD-200', 'Hoodie', 'Nordlys');
INSERT INTO article (article_no, style_no, name, colour, size, net_price)
SELECT s || '-' || left(c, 3) || '-' || z, s, s || ' ' || c || ' ' || z, c, z, CASE s WHEN 'TS-100' THEN 159.20 ELSE 399.20 END + length(z) * 10
FROM unnest(ARRAY['TS-100', 'HD-200']) s, unnest(ARRAY['Red', 'Blue', 'Black']) c, unnest(ARRAY['S', 'M', 'L', 'XL']) z;
-- A style of which the ERP has no row yet, a style of one article, and an article of no style.
INSERT INTO article (article_no, style_no, name, colour, size, net_price) VALUES
  ('CP-300-GRE-S', 'CP-300', 'Cap green small', 'Green', 'S', 119.20),
  ('CP-300-GRE-M', 'CP-300', 'Cap green medium', 'Green', 'M', 119.20),
  ('SC-400-GRY', 'SC-400', 'Scarf', 'Grey', NULL, 239.20),
  ('GIFT-500', NULL, 'Gift card', NULL, NULL, 400.00);
