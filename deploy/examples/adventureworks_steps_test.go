//go:build integration

package examples_test

// step is a change in the ERP, and the tables of the shop that must not stay as they were.
type step struct {
	what, sql string
	touches   []string
}

// onSale is the first product that is sold today with a price and stands in a stock.
const onSale = `(SELECT p.product_id FROM production.product p JOIN production.product_list_price_history h USING (product_id)
	WHERE p.finished_goods_flag AND p.sell_end_date IS NULL AND p.discontinued_date IS NULL AND h.end_date IS NULL AND h.start_date < current_date
	AND EXISTS (SELECT FROM production.product_inventory i WHERE i.product_id = p.product_id)
	ORDER BY p.product_id LIMIT 1)`

// steps change one thing after the other, the last one many in one transaction. They are meant for any data of AdventureWorks' shape.
var steps = []step{
	{"a price ends and another begins today", `BEGIN;
		CREATE TEMP TABLE pick AS SELECT ` + onSale + ` AS id;
		UPDATE production.product_list_price_history SET end_date = current_date - 1 WHERE product_id = (SELECT id FROM pick) AND end_date IS NULL;
		INSERT INTO production.product_list_price_history SELECT id, current_date, NULL, 1234.5678, now() FROM pick;
		COMMIT`, []string{"product"}},
	{"a VAT rate changes", `UPDATE web.vat_rate SET rate = 5.25 WHERE valid_to IS NULL AND product_subcategory_id =
		(SELECT product_subcategory_id FROM production.product WHERE product_id = ` + onSale + `)`, []string{"product"}},
	{"stock moves to another location", `BEGIN;
		CREATE TEMP TABLE pick AS SELECT i.* FROM production.product_inventory i WHERE i.product_id = ` + onSale + ` ORDER BY location_id LIMIT 1;
		DELETE FROM production.product_inventory i USING pick k WHERE i.product_id = k.product_id AND i.location_id = k.location_id;
		INSERT INTO production.product_inventory SELECT product_id, 99, 'N/A', 7, 11, gen_random_uuid(), now() FROM pick;
		COMMIT`, []string{"product", "stock"}},
	{"nothing is left in stock", `UPDATE production.product_inventory SET quantity = 0 WHERE product_id = ` + onSale, []string{"product", "stock"}},
	{"a text changes, one goes, one comes in its place", `BEGIN;
		CREATE TEMP TABLE pick AS SELECT l.* FROM production.product_model_product_description_culture l JOIN production.product p USING (product_model_id)
		 WHERE p.product_id = ` + onSale + `;
		UPDATE production.product_description SET description = 'A "new" text \N with æøå, 車 and 🚲' WHERE product_description_id = (SELECT min(product_description_id) FROM pick WHERE btrim(culture_id) = 'en');
		DELETE FROM production.product_model_product_description_culture l USING pick k
		 WHERE (l.product_model_id, l.product_description_id, l.culture_id) = (k.product_model_id, k.product_description_id, k.culture_id) AND btrim(k.culture_id) IN ('fr', 'th');
		INSERT INTO production.product_description VALUES (999999, 'Neuer Text', gen_random_uuid(), now());
		INSERT INTO production.product_model_product_description_culture SELECT product_model_id, 999999, 'de', now() FROM pick LIMIT 1;
		COMMIT`, []string{"product", "text"}},
	{"a product is discontinued", `UPDATE production.product SET discontinued_date = current_date WHERE product_id = ` + onSale, []string{"product"}},
	{"a category is renamed", `UPDATE production.product_category SET name = name || ' & more' WHERE product_category_id = (SELECT s.product_category_id
		FROM production.product_subcategory s JOIN production.product p USING (product_subcategory_id) WHERE p.product_id = ` + onSale + `)`, []string{"product"}},
	{"offers begin, one for every quantity", `BEGIN;
		UPDATE production.special_offer SET start_date = current_date - 3, end_date = current_date + 300 WHERE discount_pct > 0 AND special_offer_id % 2 = 0;
		INSERT INTO production.special_offer VALUES (999, 'Spring sale', 0.3333, 'Sale', 'Customer', current_date, current_date, 0, NULL, gen_random_uuid(), now());
		INSERT INTO production.special_offer_product SELECT 999, product_id, gen_random_uuid(), now() FROM production.product WHERE product_id % 3 = 0;
		COMMIT`, []string{"offer"}},
	{"everything at once", `BEGIN;
		CREATE TEMP TABLE pick AS SELECT ` + onSale + ` AS id;
		UPDATE production.product SET finished_goods_flag = NOT finished_goods_flag, product_subcategory_id = coalesce(product_subcategory_id, 1) WHERE product_id % 7 = 0;
		UPDATE production.product_model SET name = name || ' II' WHERE product_model_id % 2 = 0;
		UPDATE production.product SET product_model_id = (SELECT max(product_model_id) FROM production.product_model_product_description_culture), weight = 2.5, weight_unit_measure_code = 'LB'
		 WHERE product_id = (SELECT id FROM pick);
		UPDATE production.product_subcategory SET name = name || ' (old)', product_category_id = (SELECT max(product_category_id) FROM production.product_category)
		 WHERE product_subcategory_id % 5 = 1;
		UPDATE production.special_offer SET discount_pct = 0.125, description = 'Spring sale, smaller' WHERE special_offer_id = 999;
		DELETE FROM production.special_offer_product WHERE product_id % 2 = 0;
		UPDATE production.product_inventory SET quantity = quantity + 5, shelf = 'Z' WHERE location_id <> 99 AND product_id % 2 = 0;
		TRUNCATE production.product_list_price_history;
		INSERT INTO production.product_list_price_history SELECT product_id, current_date - 10, CASE WHEN product_id % 2 = 0 THEN current_date END, 0.005 * product_id, now() FROM production.product;
		COMMIT`, []string{"product", "text", "stock", "offer"}},
}
