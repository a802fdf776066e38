-- Fills the ERP's tables from files in the working directory that load.sh has brought to UTF-8 without byte order mark and CR.
-- Columns are separated by tabs, nothing is quoted, and an empty column is null; the quote is a byte that no text has.
\copy production.product_category FROM 'ProductCategory.csv' WITH (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01')
\copy production.product_subcategory FROM 'ProductSubcategory.csv' WITH (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01')
\copy production.product_description FROM 'ProductDescription.csv' WITH (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01')

-- Models have XML columns with line breaks in them, so a column ends with +| and a row with &|. The file is taken as a whole and cut here.
CREATE TEMP TABLE model_line (no int GENERATED ALWAYS AS IDENTITY, line text) ON COMMIT DROP;
\copy model_line (line) FROM 'ProductModel.csv' WITH (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01')
INSERT INTO production.product_model (product_model_id, name, catalog_description, instructions, rowguid, modified_date)
SELECT f[1]::int, f[2], nullif(f[3], '')::xml, nullif(f[4], '')::xml, f[5]::uuid, f[6]::timestamp
  FROM (SELECT string_agg(coalesce(line, ''), E'\n' ORDER BY no) AS content FROM model_line) AS file,
       unnest(string_to_array(content, '&|')) AS record,
       string_to_array(ltrim(record, E'\n'), '+|') AS f
 WHERE btrim(record, E'\n') <> '';

\copy production.product_model_product_description_culture FROM 'ProductModelProductDescriptionCulture.csv' WITH (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01')
\copy production.product FROM 'Product.csv' WITH (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01')
\copy production.product_inventory FROM 'ProductInventory.csv' WITH (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01')
\copy production.product_list_price_history FROM 'ProductListPriceHistory.csv' WITH (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01')
\copy production.special_offer FROM 'SpecialOffer.csv' WITH (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01')
\copy production.special_offer_product FROM 'SpecialOfferProduct.csv' WITH (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01')
