-- The shop's tables in MariaDB or MySQL, as far as orders need them. Amounts include VAT; total is what is left to pay.
CREATE TABLE account (
  customer_id BIGINT AUTO_INCREMENT PRIMARY KEY,
  email       VARCHAR(255) NOT NULL,
  customer_no VARCHAR(20)                                  -- the ERP's number, once it is known
);
CREATE TABLE web_order (
  order_id         BIGINT AUTO_INCREMENT PRIMARY KEY,
  order_no         VARCHAR(40) NOT NULL UNIQUE,
  customer_id      BIGINT,                                 -- null: a guest
  email            VARCHAR(255) NOT NULL,
  name             VARCHAR(120) NOT NULL,
  company          VARCHAR(120) NOT NULL DEFAULT '',
  address          VARCHAR(120) NOT NULL,
  postcode         VARCHAR(20) NOT NULL,
  city             VARCHAR(60) NOT NULL,
  country          VARCHAR(2) NOT NULL DEFAULT 'NO',
  phone            VARCHAR(40) NOT NULL DEFAULT '',
  delivery_name    VARCHAR(120) NOT NULL DEFAULT '',
  delivery_address VARCHAR(120) NOT NULL DEFAULT '',
  delivery_postcode VARCHAR(20) NOT NULL DEFAULT '',
  delivery_city    VARCHAR(60) NOT NULL DEFAULT '',
  delivery_country VARCHAR(2) NOT NULL DEFAULT '',
  currency         VARCHAR(3) NOT NULL DEFAULT 'NOK',
  ordered_at       TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  paid_at          TIMESTAMP(3) NULL,
  cancelled_at     TIMESTAMP(3) NULL,
  refund_of        BIGINT,
  payment_method   VARCHAR(40),
  payment_ref      VARCHAR(80),
  freight          DECIMAL(12,2) NOT NULL DEFAULT 0,
  freight_vat      DECIMAL(5,2) NOT NULL DEFAULT 25,
  fee              DECIMAL(12,2) NOT NULL DEFAULT 0,
  fee_vat          DECIMAL(5,2) NOT NULL DEFAULT 25,
  discount         DECIMAL(12,2) NOT NULL DEFAULT 0,
  gift_card        DECIMAL(12,2) NOT NULL DEFAULT 0,
  total            DECIMAL(12,2) NOT NULL,
  -- What the ERP says of the order. Shelfstream writes these and nothing else.
  erp_status       VARCHAR(20),
  erp_order_no     VARCHAR(20),
  erp_invoice_no   VARCHAR(20),
  erp_removed      BOOLEAN NOT NULL DEFAULT false
);
CREATE TABLE web_order_line (
  order_id BIGINT NOT NULL,
  line_no  INT NOT NULL,
  sku      VARCHAR(40),
  name     VARCHAR(200),
  quantity DECIMAL(12,3) NOT NULL,
  unit     VARCHAR(20),
  amount   DECIMAL(12,2) NOT NULL,
  vat_rate DECIMAL(5,2) NOT NULL,
  PRIMARY KEY (order_id, line_no)
);
