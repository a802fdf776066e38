SELECT CAST(product_id AS CHAR), CAST(position AS CHAR), offer, CAST(from_quantity AS CHAR), CAST(to_quantity AS CHAR), CAST(price AS CHAR), CAST(last_day AS CHAR)
  FROM product_offer ORDER BY product_id, position
