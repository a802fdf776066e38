-- What the shop's table product must hold, from the ERP's own tables.
WITH d AS (SELECT (now() AT TIME ZONE 'Europe/London')::date AS today),
p AS (
  SELECT p.*, h.list_price AS net, h.start_date::date AS price_since, v.rate AS vat_rate, round(h.list_price * (1 + v.rate / 100), 2) AS gross,
         (SELECT coalesce(sum(i.quantity), 0) FROM production.product_inventory i WHERE i.product_id = p.product_id) AS stock
    FROM d CROSS JOIN production.product p
    LEFT JOIN LATERAL (
      SELECT h.* FROM production.product_list_price_history h, d
       WHERE h.product_id = p.product_id AND h.start_date::date <= d.today AND (h.end_date IS NULL OR h.end_date::date >= d.today)
       ORDER BY h.start_date DESC LIMIT 1) h ON true
    LEFT JOIN web.vat_rate v ON h.product_id IS NOT NULL AND v.product_subcategory_id = p.product_subcategory_id
          AND v.valid_from <= d.today AND (v.valid_to IS NULL OR v.valid_to >= d.today)
   WHERE p.finished_goods_flag)
SELECT p.product_id::text, p.product_number, p.name, m.name, c.name, s.name, p.color,
       concat_ws(' ', p.size, lower(btrim(p.size_unit_measure_code))),
       round(p.weight * CASE btrim(p.weight_unit_measure_code) WHEN 'G' THEN 1 WHEN 'LB' THEN 453.59237 END)::text,
       (SELECT t.description FROM production.product_model_product_description_culture l JOIN production.product_description t USING (product_description_id)
         WHERE l.product_model_id = p.product_model_id AND btrim(l.culture_id) IN ('en', 'fr') ORDER BY l.culture_id LIMIT 1),
       p.net::text, p.price_since::text, p.gross::text, p.vat_rate::text, p.stock::text,
       CASE WHEN p.discontinued_date::date <= d.today OR p.sell_end_date::date < d.today OR p.sell_start_date::date > d.today OR p.gross IS NULL THEN 'hidden'
            WHEN p.stock <= 0 THEN 'sold_out' ELSE 'published' END,
       CASE WHEN p.discontinued_date::date <= d.today THEN 'discontinued'
            WHEN p.sell_end_date::date < d.today THEN 'no longer sold'
            WHEN p.sell_start_date::date > d.today THEN 'not sold yet'
            WHEN p.gross IS NULL THEN 'no list price today'
            WHEN p.stock <= 0 THEN 'nothing in stock' ELSE 'complete' END
  FROM d CROSS JOIN p
  LEFT JOIN production.product_model m USING (product_model_id)
  LEFT JOIN production.product_subcategory s USING (product_subcategory_id)
  LEFT JOIN production.product_category c USING (product_category_id)
 ORDER BY p.product_id
