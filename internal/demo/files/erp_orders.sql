CREATE TABLE customer (customer_no varchar(20) PRIMARY KEY, name text NOT NULL, email varchar(255));
INSERT INTO customer VALUES ('10005', 'Kari Nordmann AS', 'kari@example.no'), ('10006', 'Ola Hansen', 'Ola@Example.no');
ALTER TABLE customer REPLICA IDENTITY FULL;
-- What orders look at of a product: its VAT code, also after it went out of the range.
CREATE TABLE article (product_no bigint PRIMARY KEY, vat_code smallint NOT NULL);
INSERT INTO article SELECT product_no, vat_code FROM product;
CREATE FUNCTION keep_article() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO article VALUES (new.product_no, new.vat_code) ON CONFLICT (product_no) DO UPDATE SET vat_code = excluded.vat_code;
  RETURN new;
END $$;
CREATE TRIGGER article AFTER INSERT OR UPDATE OF vat_code ON product FOR EACH ROW EXECUTE FUNCTION keep_article();
