-- The ERP's tables as they are: AdventureWorks' names in PostgreSQL's spelling, its types, its keys. Nothing here is for Shelfstream.
CREATE SCHEMA production;

CREATE TABLE production.product_category (
  product_category_id int PRIMARY KEY,
  name                varchar(50) NOT NULL UNIQUE,
  rowguid             uuid NOT NULL,
  modified_date       timestamp(3) NOT NULL
);
CREATE TABLE production.product_subcategory (
  product_subcategory_id int PRIMARY KEY,
  product_category_id    int NOT NULL REFERENCES production.product_category,
  name                   varchar(50) NOT NULL UNIQUE,
  rowguid                uuid NOT NULL,
  modified_date          timestamp(3) NOT NULL
);
CREATE TABLE production.product_model (
  product_model_id    int PRIMARY KEY,
  name                varchar(50) NOT NULL UNIQUE,
  catalog_description xml,
  instructions        xml,
  rowguid             uuid NOT NULL,
  modified_date       timestamp(3) NOT NULL
);
CREATE TABLE production.product_description (
  product_description_id int PRIMARY KEY,
  description            varchar(400) NOT NULL,
  rowguid                uuid NOT NULL,
  modified_date          timestamp(3) NOT NULL
);
CREATE TABLE production.product_model_product_description_culture (
  product_model_id       int NOT NULL REFERENCES production.product_model,
  product_description_id int NOT NULL REFERENCES production.product_description,
  culture_id             char(6) NOT NULL, -- padded with blanks by the database
  modified_date          timestamp(3) NOT NULL,
  PRIMARY KEY (product_model_id, product_description_id, culture_id)
);
CREATE TABLE production.product (
  product_id               int PRIMARY KEY,
  name                     varchar(50) NOT NULL UNIQUE,
  product_number           varchar(25) NOT NULL UNIQUE,
  make_flag                boolean NOT NULL,
  finished_goods_flag      boolean NOT NULL,
  color                    varchar(15),
  safety_stock_level       smallint NOT NULL,
  reorder_point            smallint NOT NULL,
  standard_cost            numeric(19,4) NOT NULL,
  list_price               numeric(19,4) NOT NULL,
  size                     varchar(5),
  size_unit_measure_code   char(3),
  weight_unit_measure_code char(3),
  weight                   numeric(8,2),
  days_to_manufacture      int NOT NULL,
  product_line             char(2),
  class                    char(2),
  style                    char(2),
  product_subcategory_id   int REFERENCES production.product_subcategory,
  product_model_id         int REFERENCES production.product_model,
  sell_start_date          timestamp(3) NOT NULL,
  sell_end_date            timestamp(3),
  discontinued_date        timestamp(3),
  rowguid                  uuid NOT NULL,
  modified_date            timestamp(3) NOT NULL
);
CREATE TABLE production.product_inventory (
  product_id    int NOT NULL REFERENCES production.product,
  location_id   smallint NOT NULL,
  shelf         varchar(10) NOT NULL,
  bin           smallint NOT NULL,
  quantity      smallint NOT NULL,
  rowguid       uuid NOT NULL,
  modified_date timestamp(3) NOT NULL,
  PRIMARY KEY (product_id, location_id)
);
CREATE TABLE production.product_list_price_history (
  product_id    int NOT NULL REFERENCES production.product,
  start_date    timestamp(3) NOT NULL,
  end_date      timestamp(3), -- the last day, at its midnight
  list_price    numeric(19,4) NOT NULL,
  modified_date timestamp(3) NOT NULL,
  PRIMARY KEY (product_id, start_date)
);
CREATE TABLE production.special_offer (
  special_offer_id int PRIMARY KEY,
  description      varchar(255) NOT NULL,
  discount_pct     numeric(10,4) NOT NULL, -- a part of one: 0.0200 is two percent
  type             varchar(50) NOT NULL,
  category         varchar(50) NOT NULL,
  start_date       timestamp(3) NOT NULL,
  end_date         timestamp(3) NOT NULL,
  min_qty          int NOT NULL,
  max_qty          int,
  rowguid          uuid NOT NULL,
  modified_date    timestamp(3) NOT NULL
);
CREATE TABLE production.special_offer_product (
  special_offer_id int NOT NULL REFERENCES production.special_offer,
  product_id       int NOT NULL REFERENCES production.product,
  rowguid          uuid NOT NULL,
  modified_date    timestamp(3) NOT NULL,
  PRIMARY KEY (special_offer_id, product_id)
);
