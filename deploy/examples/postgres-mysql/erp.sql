-- The example's ERP: tables, what capture needs of them, and a few hundred products to look at.
CREATE TABLE product_group (
  group_no smallint PRIMARY KEY,
  name     text NOT NULL
);
CREATE TABLE vat_rate (
  vat_code   smallint NOT NULL,
  valid_from date NOT NULL,
  valid_to   date,
  rate       numeric(5,2) NOT NULL,
  PRIMARY KEY (vat_code, valid_from)
);
CREATE TABLE product (
  product_no bigint PRIMARY KEY,
  item_code  varchar(40) NOT NULL UNIQUE,
  name       text NOT NULL,
  ean        varchar(14),
  group_no   smallint NOT NULL REFERENCES product_group,
  vat_code   smallint NOT NULL,
  weight_g   integer,
  on_web     boolean NOT NULL DEFAULT true,
  blocked    boolean NOT NULL DEFAULT false,
  changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE price (
  product_no bigint NOT NULL REFERENCES product,
  price_list varchar(20) NOT NULL,
  min_qty    integer NOT NULL DEFAULT 1,
  valid_from date NOT NULL,
  valid_to   date,
  price      numeric(12,4) NOT NULL,
  PRIMARY KEY (product_no, price_list, min_qty, valid_from)
);
CREATE TABLE stock (
  product_no bigint NOT NULL REFERENCES product,
  warehouse  varchar(10) NOT NULL,
  on_hand    integer NOT NULL,
  reserved   integer NOT NULL DEFAULT 0,
  PRIMARY KEY (product_no, warehouse)
);
CREATE TABLE product_text (
  product_no  bigint NOT NULL REFERENCES product,
  lang        varchar(5) NOT NULL,
  name        text NOT NULL,
  description text,
  PRIMARY KEY (product_no, lang)
);
CREATE TABLE image (
  image_id   bigint PRIMARY KEY,
  product_no bigint NOT NULL REFERENCES product,
  position   integer NOT NULL,
  url        text NOT NULL,
  alt        text
);

-- Capture needs the row as it was: for long texts that an update did not touch, and for a row that moves to another product.
ALTER TABLE product REPLICA IDENTITY FULL;
ALTER TABLE price REPLICA IDENTITY FULL;
ALTER TABLE stock REPLICA IDENTITY FULL;
ALTER TABLE product_text REPLICA IDENTITY FULL;
ALTER TABLE image REPLICA IDENTITY FULL;
ALTER TABLE vat_rate REPLICA IDENTITY FULL;
ALTER TABLE product_group REPLICA IDENTITY FULL;

-- Made here by the owner of the tables, so that the user that captures need own nothing. The name is shelfstream_<pipeline>_<source>.
CREATE PUBLICATION shelfstream_moestue_erp
  FOR TABLE product, price, stock, product_text, image, vat_rate, product_group;

INSERT INTO product_group VALUES (1, 'Tools'), (2, 'Garden'), (3, 'Paint'), (4, 'Food');
-- Food had another rate before 2012; both rates are kept with their dates.
INSERT INTO vat_rate VALUES
  (1, '2005-01-01', NULL, 25.00),
  (2, '2007-01-01', '2011-12-31', 14.00),
  (2, '2012-01-01', NULL, 15.00);
INSERT INTO product (product_no, item_code, name, ean, group_no, vat_code, weight_g, on_web, blocked)
SELECT n, 'M-' || lpad(n::text, 5, '0'), 'Item ' || n, lpad((7090000000000 + n)::text, 13, '0'),
       1 + n % 4, CASE WHEN n % 4 = 3 THEN 2 ELSE 1 END, 50 + (n * 7919) % 30000, n % 20 <> 0, n % 33 = 0
FROM generate_series(1, 300) n;
INSERT INTO price
SELECT n, 'SHOP', 1, DATE '2024-01-01', NULL, round((10 + (n * 104729) % 90000 / 100.0)::numeric, 4)
FROM generate_series(1, 300) n WHERE n % 25 <> 0;
-- Some get dearer at the turn of the year, without anybody touching them then.
INSERT INTO price
SELECT n, 'SHOP', 1, (date_trunc('year', now()) + interval '1 year')::date, NULL, round((11 + (n * 104729) % 90000 / 99.0)::numeric, 4)
FROM generate_series(1, 300, 10) n;
INSERT INTO stock
SELECT n, w, (n * 31 + length(w) * 7) % 40, n % 3
FROM generate_series(1, 300) n, unnest(ARRAY['OSL', 'BGO', 'TROMS']) w;
INSERT INTO product_text
SELECT n, l, CASE l WHEN 'nb' THEN 'Vare ' ELSE 'Article ' END || n, 'A text about item ' || n
FROM generate_series(1, 300) n, unnest(ARRAY['nb', 'en']) l WHERE l = 'nb' OR n % 2 = 0;
INSERT INTO image
SELECT n * 10 + p, n, p, 'https://images.example/' || n || '-' || p || '.jpg', NULL
FROM generate_series(1, 300) n, generate_series(1, 2) p WHERE n % 15 <> 0;
