SELECT CAST(product_id AS CHAR), number, name, model, category, subcategory, color, size, CAST(weight_g AS CHAR), description,
       CAST(list_price AS CHAR), CAST(price_since AS CHAR), CAST(price AS CHAR), CAST(vat_rate AS CHAR), CAST(stock AS CHAR), status, status_reason
  FROM product ORDER BY product_id
