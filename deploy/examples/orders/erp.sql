-- The ERP's tables in PostgreSQL, as far as orders need them.
CREATE TABLE customer (
  customer_no varchar(20) PRIMARY KEY,
  name        text NOT NULL,
  email       varchar(255)
);
CREATE TABLE product (
  sku      varchar(40) PRIMARY KEY,
  name     text NOT NULL,
  unit     varchar(20) NOT NULL,
  vat_code integer NOT NULL
);
CREATE TABLE product_unit (
  sku    varchar(40) NOT NULL,
  unit   varchar(20) NOT NULL,
  factor numeric(12,4) NOT NULL,
  PRIMARY KEY (sku, unit)
);
CREATE TABLE vat_rate (
  vat_code   integer NOT NULL,
  valid_from date NOT NULL,
  valid_to   date,
  rate       numeric(5,2) NOT NULL,
  PRIMARY KEY (vat_code, valid_from)
);
-- What became of an order in the ERP: made by the ERP when it takes an order out of the import tables, or reads its file.
CREATE TABLE sales_order (
  web_order_id bigint PRIMARY KEY,
  order_no     varchar(20) NOT NULL,
  received_at  timestamptz NOT NULL DEFAULT now(),
  picked_at    timestamptz,
  invoiced_at  timestamptz,
  invoice_no   varchar(20)
);
-- Of these two only some columns are captured; an update of others would leave out what is stored out of line.
ALTER TABLE customer REPLICA IDENTITY FULL;
ALTER TABLE product REPLICA IDENTITY FULL;

INSERT INTO customer VALUES ('10005', 'Kari Nordmann AS', 'kari@example.no'), ('10006', 'Ola Hansen', 'Ola@Example.no');
INSERT INTO product VALUES ('67001', 'Periquita 2014', 'FLASKE', 1), ('67002', 'Chablis 2022', 'FLASKE', 1), ('BOK-1', 'Vin for alle', 'STK', 3);
INSERT INTO product_unit VALUES ('67001', 'KARTONG', 6), ('67002', 'KARTONG', 6);
INSERT INTO vat_rate VALUES (1, '2005-01-01', NULL, 25), (2, '2005-01-01', NULL, 15), (3, '2005-01-01', NULL, 0);
