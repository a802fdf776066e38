-- What the ERP's DBA adds beside the ERP's own tables: a schema of tables for the webshop, kept by triggers, and what Shelfstream captures.
--
-- Why triggers: a view joins its children by the product's key, and its lookups by columns of the product or of another lookup's one row. Texts are
-- behind a table with several rows for a model (product -> model and culture -> text), and so are the terms of an offer (product -> link -> offer). Each
-- gets a table here that holds the second step's columns too. Triggers run in the transaction of the change, so a shop never sees a link without
-- its text. They run as the owner of this schema, since the ERP's users need no rights here.
CREATE SCHEMA web;

-- Texts of models by culture.
CREATE TABLE web.model_text (
  product_model_id       int NOT NULL,
  culture_id             char(6) NOT NULL,
  product_description_id int NOT NULL,
  description            varchar(400) NOT NULL,
  PRIMARY KEY (product_model_id, culture_id, product_description_id)
);
CREATE INDEX model_text_description ON web.model_text (product_description_id);

CREATE FUNCTION web.model_text_link() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM web.model_text t
     WHERE (t.product_model_id, t.culture_id, t.product_description_id) = (OLD.product_model_id, OLD.culture_id, OLD.product_description_id);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    -- FOR SHARE waits for a transaction that is changing this text: its trigger cannot see the row made here.
    INSERT INTO web.model_text
    SELECT NEW.product_model_id, NEW.culture_id, d.product_description_id, d.description
      FROM production.product_description d WHERE d.product_description_id = NEW.product_description_id FOR SHARE;
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION web.model_text_description() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  UPDATE web.model_text SET description = NEW.description WHERE product_description_id = NEW.product_description_id;
  RETURN NULL;
END $$;
CREATE TRIGGER web_model_text AFTER INSERT OR UPDATE OR DELETE ON production.product_model_product_description_culture
  FOR EACH ROW EXECUTE FUNCTION web.model_text_link();
CREATE TRIGGER web_model_text AFTER UPDATE ON production.product_description
  FOR EACH ROW WHEN (OLD.description IS DISTINCT FROM NEW.description) EXECUTE FUNCTION web.model_text_description();

-- Offers of products with their terms.
CREATE TABLE web.product_offer (
  product_id       int NOT NULL,
  special_offer_id int NOT NULL,
  description      varchar(255) NOT NULL,
  discount_pct     numeric(10,4) NOT NULL,
  start_date       timestamp(3) NOT NULL,
  end_date         timestamp(3) NOT NULL,
  min_qty          int NOT NULL,
  max_qty          int,
  PRIMARY KEY (product_id, special_offer_id)
);
CREATE INDEX product_offer_offer ON web.product_offer (special_offer_id);

CREATE FUNCTION web.product_offer_link() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM web.product_offer t WHERE (t.product_id, t.special_offer_id) = (OLD.product_id, OLD.special_offer_id);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO web.product_offer
    SELECT NEW.product_id, o.special_offer_id, o.description, o.discount_pct, o.start_date, o.end_date, o.min_qty, o.max_qty
      FROM production.special_offer o WHERE o.special_offer_id = NEW.special_offer_id FOR SHARE;
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION web.product_offer_terms() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  UPDATE web.product_offer
     SET (description, discount_pct, start_date, end_date, min_qty, max_qty)
       = (NEW.description, NEW.discount_pct, NEW.start_date, NEW.end_date, NEW.min_qty, NEW.max_qty)
   WHERE special_offer_id = NEW.special_offer_id;
  RETURN NULL;
END $$;
CREATE TRIGGER web_product_offer AFTER INSERT OR UPDATE OR DELETE ON production.special_offer_product
  FOR EACH ROW EXECUTE FUNCTION web.product_offer_link();
CREATE TRIGGER web_product_offer AFTER UPDATE ON production.special_offer
  FOR EACH ROW EXECUTE FUNCTION web.product_offer_terms();

-- TRUNCATE fires no row's trigger.
CREATE FUNCTION web.emptied() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  EXECUTE pg_catalog.format('TRUNCATE web.%I', TG_ARGV[0]);
  RETURN NULL;
END $$;
CREATE TRIGGER web_emptied AFTER TRUNCATE ON production.product_model_product_description_culture FOR EACH STATEMENT EXECUTE FUNCTION web.emptied('model_text');
CREATE TRIGGER web_emptied AFTER TRUNCATE ON production.special_offer_product FOR EACH STATEMENT EXECUTE FUNCTION web.emptied('product_offer');

-- What was there before the triggers.
INSERT INTO web.model_text
SELECT l.product_model_id, l.culture_id, l.product_description_id, d.description
  FROM production.product_model_product_description_culture l JOIN production.product_description d USING (product_description_id);
INSERT INTO web.product_offer
SELECT l.product_id, o.special_offer_id, o.description, o.discount_pct, o.start_date, o.end_date, o.min_qty, o.max_qty
  FROM production.special_offer_product l JOIN production.special_offer o USING (special_offer_id);

-- AdventureWorks sells without VAT; the shop is British. Cycle helmets are zero-rated, everything else has the standard rate, with its history.
CREATE TABLE web.vat_rate (
  product_subcategory_id int NOT NULL,
  valid_from             date NOT NULL,
  valid_to               date,
  rate                   numeric(5,2) NOT NULL,
  PRIMARY KEY (product_subcategory_id, valid_from)
);
INSERT INTO web.vat_rate
SELECT s.product_subcategory_id, r.valid_from, r.valid_to, CASE WHEN s.name = 'Helmets' THEN 0 ELSE r.rate END
  FROM production.product_subcategory s, (VALUES (date '1991-04-01', date '2011-01-03', 17.50), ('2011-01-04', NULL, 20.00)) AS r (valid_from, valid_to, rate);

-- As 'shelfstream check -connect' asks: a model's XML is stored out of line (TOAST), beside it any of its texts may be, and an update that
-- does not touch such a text leaves it out unless the old row comes whole. The other tables' rows are too short for that.
ALTER TABLE production.product_model REPLICA IDENTITY FULL;

-- Made here by the owner of the tables, so that the role that captures need own nothing. The name is shelfstream_<pipeline>_<source>.
CREATE PUBLICATION shelfstream_adventureworks_erp FOR TABLE production.product, production.product_model, production.product_inventory,
  production.product_list_price_history, production.product_subcategory, production.product_category, web.model_text, web.product_offer, web.vat_rate;
