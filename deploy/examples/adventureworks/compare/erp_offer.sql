-- Offers that hold today, of products with a price; again without the triggers' table.
WITH d AS (SELECT (now() AT TIME ZONE 'Europe/London')::date AS today)
SELECT p.product_id::text, (row_number() OVER (PARTITION BY p.product_id ORDER BY o.min_qty, o.special_offer_id) - 1)::text,
       o.description, greatest(o.min_qty, 1)::text, o.max_qty::text,
       round(round(h.list_price * (1 + v.rate / 100), 2) * (1 - o.discount_pct), 2)::text, o.end_date::date::text
  FROM d CROSS JOIN production.product p
  JOIN production.special_offer_product l USING (product_id)
  JOIN production.special_offer o USING (special_offer_id)
 CROSS JOIN LATERAL (
      SELECT h.list_price FROM production.product_list_price_history h, d
       WHERE h.product_id = p.product_id AND h.start_date::date <= d.today AND (h.end_date IS NULL OR h.end_date::date >= d.today)
       ORDER BY h.start_date DESC LIMIT 1) h
  JOIN web.vat_rate v USING (product_subcategory_id)
 WHERE p.finished_goods_flag AND o.discount_pct > 0 AND d.today BETWEEN o.start_date::date AND o.end_date::date
   AND v.valid_from <= d.today AND (v.valid_to IS NULL OR v.valid_to >= d.today)
 ORDER BY p.product_id, o.min_qty, o.special_offer_id
