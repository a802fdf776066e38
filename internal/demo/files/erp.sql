-- The demo's ERP: a wine merchant. Child rows carry the product's number; images have a key of their own.
CREATE TABLE product (
  product_no   bigint PRIMARY KEY,
  name         text NOT NULL,
  producer     text,
  country      varchar(2),
  vintage      smallint,
  alcohol      numeric(4,1),
  volume_ml    integer NOT NULL,
  vat_code     smallint NOT NULL,
  blocked      boolean NOT NULL DEFAULT false,
  discontinued boolean NOT NULL DEFAULT false,
  updated_at   timestamptz NOT NULL DEFAULT now(),
  rev          bigint NOT NULL DEFAULT 0
);
CREATE TABLE price (
  product_no bigint NOT NULL,
  list       varchar(20) NOT NULL,
  min_qty    integer NOT NULL,
  valid_from date NOT NULL,
  valid_to   date,
  price      numeric(12,4) NOT NULL,
  rev        bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (product_no, list, min_qty, valid_from)
);
CREATE TABLE stock (
  product_no bigint NOT NULL,
  warehouse  varchar(10) NOT NULL,
  on_hand    integer NOT NULL,
  reserved   integer NOT NULL DEFAULT 0,
  rev        bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (product_no, warehouse)
);
CREATE TABLE product_text (
  product_no  bigint NOT NULL,
  lang        varchar(5) NOT NULL,
  name        text NOT NULL,
  description text,
  PRIMARY KEY (product_no, lang)
);
CREATE TABLE image (
  image_id   bigint PRIMARY KEY,
  product_no bigint NOT NULL,
  position   integer NOT NULL,
  url        text NOT NULL,
  alt        text
);
CREATE INDEX image_product ON image (product_no);
CREATE TABLE vat_rate (
  vat_code   smallint NOT NULL,
  valid_from date NOT NULL,
  valid_to   date,
  rate       numeric(5,2) NOT NULL,
  PRIMARY KEY (vat_code, valid_from)
);
-- Rows are routed by product and hold long texts, so capture needs the old row of an update.
ALTER TABLE product      REPLICA IDENTITY FULL;
ALTER TABLE price        REPLICA IDENTITY FULL;
ALTER TABLE stock        REPLICA IDENTITY FULL;
ALTER TABLE product_text REPLICA IDENTITY FULL;
ALTER TABLE image        REPLICA IDENTITY FULL;
ALTER TABLE vat_rate     REPLICA IDENTITY FULL;
